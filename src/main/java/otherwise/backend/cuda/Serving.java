package otherwise.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import otherwise.backend.DeviceException;
import otherwise.backend.Libraries;

/// Who computes the products and convolutions of a backend.
///
/// @param description the same for a person, with the reason where a library could have served
record Serving(Products products, Convolutions convolutions, String description) {

    /// One who was chosen, and a text for a person.
    private record Choice<T>(T who, String description) {}

    /// Our kernels, where there is no choice.
    static Serving ours(Kernels kernels) {
        return new Serving(new Matmul(kernels), new Convolution(kernels), "");
    }

    /// As asked.
    ///
    /// @throws DeviceException if a library that was asked for by name cannot serve
    static Serving of(Libraries asked, Driver driver, Kernels kernels) {
        var products = products(asked.gemm(), driver, kernels);
        try {
            var convolutions = convolutions(asked.conv(), driver, kernels);
            return new Serving(products.who, convolutions.who,
                    "products by " + products.description + ", convolutions by " + convolutions.description);
        } catch (DeviceException e) {
            products.who.close();
            throw e;
        }
    }

    /// The same on a device that computes nothing.
    Serving dry(Kernels kernels) {
        return new Serving(products.dry(kernels), convolutions.dry(kernels), "");
    }

    private static Choice<Products> products(Libraries.Gemm asked, Driver driver, Kernels kernels) {
        var ours = new Matmul(kernels);
        return choose(
                asked == Libraries.Gemm.OURS, asked == Libraries.Gemm.CUBLAS ? "--gemm cublas" : null, ours, CublasProducts::description,
                List.of(() -> new CublasProducts(JCublas::new, driver, kernels, ours),
                        () -> new CublasProducts(ForeignCublas::new, driver, kernels, ours)));
    }

    private static Choice<Convolutions> convolutions(Libraries.Conv asked, Driver driver, Kernels kernels) {
        var ours = new Convolution(kernels);
        return choose(
                asked == Libraries.Conv.OURS, asked == Libraries.Conv.CUDNN ? "--conv cudnn" : null, ours, CudnnConvolutions::description,
                List.of(() -> new CudnnConvolutions(JCudnn::new, driver, kernels, ours),
                        () -> new CudnnConvolutions(ForeignCudnn::new, driver, kernels, ours)));
    }

    /// The first library that can be loaded and knows the device.
    ///
    /// @param option what asks for a library; `null` if ours will do
    /// @param libraries of CUDA 12, then of CUDA 13
    private static <T, L extends T> Choice<T> choose(
            boolean oursAlone, String option, T ours, Function<L, String> description, List<Supplier<L>> libraries) {
        if (oursAlone) return new Choice<>(ours, "our kernels");
        var why = new ArrayList<String>();
        for (var library : libraries) {
            try {
                var opened = library.get();
                return new Choice<>(opened, description.apply(opened));
            } catch (DeviceException e) {
                why.add(e.getMessage());
            }
        }
        var reasons = String.join("; ", why);
        if (option != null) throw new DeviceException(option + ": " + reasons);
        return new Choice<>(ours, "our kernels (" + reasons + ")");
    }

    /// Before the device itself.
    void close() {
        convolutions.close();
        products.close();
    }
}
