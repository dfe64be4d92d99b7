package otherwise.cli.verify;

import java.util.List;

/// How one kind of golden file is repeated by our own code.
///
/// A check builds the network from the file's config and weights, runs it on the file's inputs, and hands every result to the [Comparison]
/// under the name that the file gives it. What it neither compares nor declares as not covered counts as a failure, so a check cannot
/// forget anything in silence.
public interface Check {

    /// The `kind`s that it knows, as files spell them.
    List<String> kinds();

    /// Repeats the file.
    ///
    /// @throws IllegalArgumentException if the file lacks what its kind needs, naming it
    void run(Golden golden, Comparison comparison);
}
