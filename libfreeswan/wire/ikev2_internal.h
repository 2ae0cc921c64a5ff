/* Shared by the files of the IKEv2 codec only. */
#pragma once
#include "libfreeswan/wire/ikev2_payloads.h"

void *ikev2_payload_body(ikev2_payload *p);
void ikev2_put_payload_name(buf *out, uint8_t type, uint16_t notify);
void ikev2_put_message_name(buf *out, const ikev2_header *h);
/* Writes the 28 octets with the given next payload and length. */
void ikev2_put_header(buf *out, const ikev2_header *h, uint8_t next, uint32_t length);
