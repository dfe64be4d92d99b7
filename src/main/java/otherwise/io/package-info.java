/// Files in and out: tensor checkpoints, video files, hashes, and writing so that a file is either whole or absent.
///
/// A side room: it hands plain memory and arrays up and knows no network. Whatever is wrong with a file ends in one line that names it.
package otherwise.io;
