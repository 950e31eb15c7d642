// What the broker's storage needs and Swift has no fast or importable form of.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli) of `length` octets, continuing from `crc` (0 to begin). RFC 3720 appendix B.4.
/// Uses the processor's instruction where there is one.
uint32_t cplatform_crc32c(uint32_t crc, const void *bytes, size_t length);

/// Raises the soft limit of open files to the hard one. Returns the limit now in force, 0 when unknown.
uint64_t cplatform_raise_open_files(void);

/// `open` with a mode, which is variadic in C. Returns the descriptor, or the negated errno.
int cplatform_open(const char *path, int flags, unsigned mode);
