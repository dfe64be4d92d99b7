/// A device that computes nothing and counts everything: what a network would take, before it is run.
package otherwise.backend.dry;
