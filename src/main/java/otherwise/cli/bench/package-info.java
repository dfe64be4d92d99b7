/// `otherwise bench`: how fast the kernels and the whole graph are, and against whom. A peer is another library that computes the same from
/// the same numbers; it is found by name at run time, so that nothing here depends on one.
package otherwise.cli.bench;
