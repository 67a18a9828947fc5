#include "cli/app.h"

int main(int argc, char** argv) { return jobd::cli::Main(argc, argv); }
