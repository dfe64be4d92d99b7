package otherwise.explain;

import java.io.IOException;

/// A way to find counterfactuals. Its options are its own affair, given when it is made.
public interface Method {

    /// The name by which reports call it.
    String name();

    /// Answers a question, or goes on where `journal` has a snapshot of the same question.
    ///
    /// @throws IOException if the journal cannot be read or written
    Counterfactual explain(Question question, Generator generator, Classifier classifier, Listener listener, Journal journal)
            throws IOException;

    /// Asks for all the memory that an answer may take, in the order in which it will: once, since more iterations take no more. For a device
    /// that computes nothing (see [Rehearsal]).
    void rehearse(Generator generator, Classifier classifier) throws IOException;

    /// Hears of every iteration, after it has been written to the journal.
    @FunctionalInterface
    interface Listener {

        /// Does nothing.
        Listener NONE = (iteration, atMost) -> {};

        /// @param atMost how many iterations there will be, as far as is known now
        void done(Iteration iteration, int atMost);
    }
}
