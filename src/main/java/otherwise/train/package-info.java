/// Optimisers, losses and the training loops.
package otherwise.train;
