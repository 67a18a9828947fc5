// Threads carry names, so that `top -H` and a debugger show who is who.
#pragma once

#include <pthread.h>

namespace jobd::base {

// At most 15 characters.
inline void NameThisThread(const char* name) { ::pthread_setname_np(::pthread_self(), name); }

}  // namespace jobd::base
