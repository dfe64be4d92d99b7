/// How close, how real, how valid: figures over videos. Pixels count in `[0, 1]` (so a range of 1), sums run in double.
package otherwise.metrics;
