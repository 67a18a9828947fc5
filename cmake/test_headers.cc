// Holds the precompiled headers of the tests: see JobdTargets.cmake.
int main() {}
