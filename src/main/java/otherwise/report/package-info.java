/// What people look at: the report page, clips side by side, sheets of frames, and tables. It is handed finished results as plain data
/// and computes nothing that a verdict depends on.
package otherwise.report;
