/// Devices that run CUDA C++: the kernels of the folder `kernels/`, and what launches them.
///
/// [CudaBackend] and its families of launches know one [Driver]. There are two: [JCudaDriver], and [EmulatedDriver], which runs the same
/// kernel files, compiled by g++, on the processor, and finds accesses that a GPU would let pass.
package otherwise.backend.cuda;
