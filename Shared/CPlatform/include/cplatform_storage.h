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

/// Lets the calling thread run soon after it wakes, in shorter turns, where other processes keep the processors busy: a slice of
/// 0.1 milliseconds instead of some 3 (sched_setattr(2), Linux 6.12 and later; elsewhere nothing happens). Its share of the
/// processors stays the same. For threads that answer or wait for the disk often and briefly.
void cplatform_wake_soon(void);

/// Gives memory of large buffers back to the system as soon as they are freed, and keeps few pools for small ones (mallopt(3)): for a
/// process that now and then holds much for a moment. Before threads start.
void cplatform_return_memory(void);

/// Starts to write out what was written to `length` octets of the file at `offset`, and does not wait for it. Only a hint: what
/// has to be durable needs a sync all the same.
void cplatform_begin_writing_out(int descriptor, int64_t offset, int64_t length);
