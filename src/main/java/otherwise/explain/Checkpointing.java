package otherwise.explain;

import otherwise.autograd.Activations;

/// What is kept for the way back, and what is computed twice instead.
public enum Checkpointing {
    /// Everything is kept: fastest.
    NONE,
    /// A denoising step keeps only its result.
    STEPS,
    /// Inside a step, and inside the decoder, each block keeps only its result too: least memory.
    NESTED;

    /// What networks do with the activations of their blocks.
    public Activations blocks() {
        return this == NESTED ? Activations.RECOMPUTE : Activations.KEEP;
    }

    /// Whether the solver computes steps again.
    public boolean steps() {
        return this != NONE;
    }
}
