/// Counterfactual methods: (video, target class, generator, classifier) in, a [Counterfactual] out.
///
/// [Generator], [Classifier] and [Method] know nothing of each other and meet only here; networks enter through adapters.
package otherwise.explain;
