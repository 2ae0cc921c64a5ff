/* Memory that runs out: the n-th allocation of the suite's own code fails. Linked into programs that ask for
 * it; not in sanitizer builds, which have an allocator of theirs.
 */
#pragma once
#include <stdbool.h>

bool fault_alloc_works(void);
void fault_alloc_prepare(void); /* before OpenSSL's first allocation */
/* The n-th allocation from now fails, once; 0 = none. Counting starts anew. */
void fault_alloc_at(unsigned long n);
unsigned long fault_alloc_count(void); /* since fault_alloc_at() */
long fault_alloc_live(void);           /* blocks that are not given back */
