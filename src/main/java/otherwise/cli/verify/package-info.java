/// Golden files against our networks: what `otherwise verify` does.
package otherwise.cli.verify;
