/// Noise schedules and solvers of flow matching. A network is seen only as a function (x, t) → v.
package otherwise.diffusion;
