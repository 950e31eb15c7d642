// What Glibc offers only as a variadic function or a macro, which Swift cannot call.
#pragma once

/// Asks the kernel to send `signal` to this process when its parent ends (prctl PR_SET_PDEATHSIG).
/// Returns 0, or the errno.
int cplatform_die_with_parent(int signal);

/// Catches `signals` from now on; each one caught becomes one byte (its number) in a non-blocking pipe.
/// One caller per process. Returns the pipe's read end, or minus the errno.
int cplatform_signal_pipe(const int *signals, int count);

/// pipe2 with O_CLOEXEC, and O_NONBLOCK where asked for. Returns 0, or the errno.
int cplatform_pipe(int ends[2], int nonblocking);

/// Starts `file` (looked up on PATH) in a process group of its own, with no signal blocked or ignored and with no
/// descriptors but `input` (-1 = /dev/null) as standard input and `output` as standard output and error.
/// Returns 0 and the process id, or the errno.
int cplatform_spawn(const char *file, char *const arguments[], char *const environment[], int input, int output, int *pid);
