// What gRPC is better off without.
#pragma once

namespace jobd::server {

// Switches off the search for deadlocks in Abseil's mutexes, which Debian's build has on: it puts every lock that gRPC takes
// through one graph behind one lock, and remembers each mutex in it. Call it in main(), before there are other threads.
void TuneGrpc();

}  // namespace jobd::server
