#ifndef CCODEC_H
#define CCODEC_H

#include <stddef.h>
#include <stdint.h>

/// Decodes every submit_sm in `in` into a struct of its own fields, checks what our codec checks, and encodes it again into
/// `out`, which has room for `length` octets.
/// - Returns: how many PDUs were decoded and encoded; 0 when one of them is wrong.
size_t ccodec_pass(const uint8_t *in, size_t length, uint8_t *out);

#endif
