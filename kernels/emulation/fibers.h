// Stacks that one processor changes between. A part of emulation.cpp.
#pragma once
#include <cstddef>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emulated {
namespace {

const size_t STACK = 64 * 1024;

#if defined(__x86_64__)
// Saves what a callee must keep, and goes on where the other stack was left.
extern "C" void emulated_switch(void** from, void* to);
asm(R"(
.text
.globl emulated_switch
.hidden emulated_switch
.type emulated_switch,@function
emulated_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulated_switch,.-emulated_switch
)");

using Context = void*;

void enter(Context* context, unsigned char* stack, void (*body)()) {
    auto top = reinterpret_cast<void**>(stack + STACK);
    *--top = nullptr;  // the stack is as it would be after a call
    *--top = reinterpret_cast<void*>(body);
    for (int i = 0; i < 6; i++) *--top = nullptr;
    *context = top;
}

void change(Context* from, Context* to) {
    emulated_switch(from, *to);
}
#else
using Context = ucontext_t;

void enter(Context* context, unsigned char* stack, void (*body)()) {
    getcontext(context);
    context->uc_stack.ss_sp = stack;
    context->uc_stack.ss_size = STACK;
    context->uc_link = nullptr;
    makecontext(context, body, 0);
}

void change(Context* from, Context* to) {
    swapcontext(from, to);
}
#endif

}  // namespace
}  // namespace emulated
