// jobctl.
#pragma once

namespace jobd::cli {

// Does what the command line says and returns the program's exit code. Blocks signals it handles before it makes threads; call
// once.
int Main(int argc, char** argv);

}  // namespace jobd::cli
