/// Clips, labels, data sets: the Shape-Moving set, drawn from numbers alone, and the tracker that judges what moves in a clip.
///
/// Pixel coordinates throughout: `x` grows to the right, `y` grows downwards, and the centre of the top left pixel is `(0, 0)`.
package otherwise.data;
