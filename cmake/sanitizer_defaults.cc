// Linked into every program that is built with AddressSanitizer.

extern "C" const char* __lsan_default_suppressions();

// jobctl ends while gRPC's threads may have a handshake under way, whose OpenSSL objects nobody can free any more.
extern "C" const char* __lsan_default_suppressions() { return "leak:libcrypto.so\n"; }
