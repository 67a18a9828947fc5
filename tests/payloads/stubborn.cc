// Leaves a process that is hard to get rid of: forked twice, in a session of its own, deaf to every signal it may ignore. Its pid
// goes to standard output. With "stay" the first process waits too, equally deaf; else it exits 0.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void BeDeaf() {
  for (int signal = 1; signal < 65; ++signal) ::signal(signal, SIG_IGN);
}

}  // namespace

int main(int argc, char** argv) {
  BeDeaf();
  int ready[2];
  if (pipe(ready) != 0) return 1;
  if (fork() == 0) {
    setsid();
    if (fork() == 0) {
      dprintf(1, "%d\n", static_cast<int>(getpid()));
      close(ready[0]);
      close(ready[1]);
      for (;;) pause();
    }
    _exit(0);
  }
  close(ready[1]);
  char byte;
  (void)!read(ready[0], &byte, 1);  // until the grandchild has said who it is
  if (argc > 1 && strcmp(argv[1], "stay") == 0) {
    for (;;) pause();
  }
  return 0;
}
