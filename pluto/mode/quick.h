/* What the files of quick mode share. */
#pragma once
#include "pluto/mode/mode.h"
#include "pluto/sa/spdb.h"

verdict quick_take_ke(msgctx *md, dh_group group);
void quick_remember_choice(quick *q, const ipsec_choice *ch);
