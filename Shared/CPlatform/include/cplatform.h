// What Glibc offers only as a variadic function or a macro, which Swift cannot call.
#pragma once

/// Asks the kernel to send `signal` to this process when its parent ends (prctl PR_SET_PDEATHSIG).
/// Returns 0, or the errno.
int cplatform_die_with_parent(int signal);

/// Catches `signals` from now on; each one caught becomes one byte (its number) in a non-blocking pipe.
/// One caller per process. Returns the pipe's read end, or minus the errno.
int cplatform_signal_pipe(const int *signals, int count);
