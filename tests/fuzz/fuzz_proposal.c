/* Algorithm strings: the first octet chooses the protocol, the rest is the text; what was understood is
 * printed and selected against the defaults. */
#include "libfreeswan/proposal/proposal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ipsec_proto protos[] = {PROTO_IKE, PROTO_ESP, PROTO_AH, PROTO_ESP};
    proposals p, dflt;
    proposal out;
    msgbuf msg;
    char text[PROPOSAL_TEXT];
    if (size < 1 || size > 4096)
        return 0;
    char *word = span_dup_cstr(span_of(data + 1, size - 1));
    if (!word)
        return 0;
    ipsec_proto proto = protos[data[0] & 3];
    bool ikev1 = data[0] & 4;
    if (proposals_from_text(&p, word, proto, ikev1, &msg) == ST_OK) {
        if (!p.n || p.n > PROPOSALS_MAX)
            abort();
        for (uint8_t i = 0; i < p.n; i++)
            if (p.p[i].n > PROPOSAL_MAX_TRANSFORMS)
                abort();
        proposals_text(&p, text, sizeof(text));
        if (!proposals_select(&p, &p, true, false, &out, &msg)) /* who agrees with oneself not? */
            abort();
        proposals_default(&dflt, proto, ikev1, NULL);
        (void)proposals_select(&dflt, &p, data[0] & 8, data[0] & 16, &out, &msg);
    }
    free(word);
    return 0;
}
