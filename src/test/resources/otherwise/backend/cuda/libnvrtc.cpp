// A stand-in for libnvrtc.so.12: it knows sm_90, and makes code of the length of the text it was given, if all it was given is right.
#include <cstring>
#include <string>

struct Program {
    std::string text, log;
};

extern "C" {
int nvrtcVersion(int* major, int* minor) { *major = 99; *minor = 9; return 0; }
int nvrtcGetNumSupportedArchs(int* n) { *n = 2; return 0; }
int nvrtcGetSupportedArchs(int* known) { known[0] = 80; known[1] = 90; return 0; }
int nvrtcCreateProgram(Program** program, const char* text, const char* name, int n, const char* const* headers, const char* const* names) {
    *program = new Program{text, ""};
    bool right = n >= 1 && !strcmp(names[0], "common.cuh") && strstr(headers[0], "typedef REAL real;") && !strcmp(name + strlen(name) - 3, ".cu");
    return right ? 0 : 3;
}
int nvrtcDestroyProgram(Program** program) { delete *program; *program = nullptr; return 0; }
int nvrtcCompileProgram(Program* program, int n, const char* const* options) {
    for (int i = 0; i < n; i++) program->log += std::string(options[i]) + " ";
    return program->text.find("nothing") == std::string::npos ? 0 : 6;
}
int nvrtcGetProgramLogSize(Program* program, size_t* n) { *n = program->log.size() + 1; return 0; }
int nvrtcGetProgramLog(Program* program, char* log) { strcpy(log, program->log.c_str()); return 0; }
int nvrtcGetCUBINSize(Program* program, size_t* n) { *n = program->text.size(); return 0; }
int nvrtcGetCUBIN(Program* program, char* code) { memset(code, 0, program->text.size()); memcpy(code, "\177ELF", 4); return 0; }
const char* nvrtcGetErrorString(int) { return "NVRTC_ERROR_INVALID_INPUT"; }
}
