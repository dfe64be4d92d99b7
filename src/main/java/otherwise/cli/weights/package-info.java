/// `otherwise weights`: checkpoints from elsewhere, found, fetched, converted and checked.
package otherwise.cli.weights;
