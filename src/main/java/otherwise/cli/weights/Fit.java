package otherwise.cli.weights;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import otherwise.backend.Shape;
import otherwise.explain.Blueprint;
import otherwise.explain.NamedFile;
import otherwise.io.TensorFile;
import otherwise.nn.Names;

/// How a file compares with what a model asks for. Tensors are called by our names; where the file has others, they stand behind.
///
/// @param namings the namings of the file, one for each network in it
/// @param fitting tensors of the right name and shape, and their elements
/// @param spare tensors that belong to such a file and that no network needs
/// @param dtypes how many of the fitting tensors are stored in each
record Fit(
        List<String> namings,
        int fitting,
        long elements,
        List<String> missing,
        List<String> unexpected,
        List<String> misshapen,
        List<String> spare,
        Map<String, Integer> dtypes) {

    static Fit of(TensorFile file, Blueprint blueprint) {
        var fit = new Fit(new ArrayList<>(), 0, 0, new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>(),
                new TreeMap<>());
        int fitting = 0;
        long elements = 0;
        var stored = new LinkedHashMap<String, String>();
        for (var part : blueprint.parts()) {
            var named = NamedFile.of(file, part.folder(), part.known());
            fit.namings.add(named.naming().map(Names::title).orElse("none that we know"));
            for (var expected : part.expected().entrySet()) {
                var name = part.folder() + expected.getKey();
                if (!named.contains(expected.getKey())) {
                    fit.missing.add(name + " " + expected.getValue());
                } else if (!named.fits(expected.getKey(), expected.getValue())) {
                    fit.misshapen.add(name + ": expected " + expected.getValue() + ", the file has " + shape(named, expected.getKey()));
                } else {
                    fitting++;
                    elements += expected.getValue().size();
                    fit.dtypes.merge(named.entry(expected.getKey()).dtype(), 1, Integer::sum);
                }
                for (var n : named.stored(expected.getKey())) stored.put(n, "used");
            }
            for (var name : named.spare()) for (var n : named.stored(name)) if (stored.putIfAbsent(n, "spare") == null) fit.spare.add(n);
        }
        for (var name : file.names()) {
            if (stored.containsKey(name)) continue;
            if (blueprint.besides().contains(name)) fit.spare.add(name);
            else fit.unexpected.add(name + " " + Shape.of(file.entry(name).shape()));
        }
        return new Fit(fit.namings, fitting, elements, fit.missing, fit.unexpected, fit.misshapen, fit.spare, fit.dtypes);
    }

    private static String shape(NamedFile file, String name) {
        try {
            return Shape.of(file.entry(name).shape()).toString();
        } catch (IllegalArgumentException e) {
            return "pieces that do not fit together: " + String.join(", ", file.stored(name));
        }
    }

    boolean fits() {
        return missing.isEmpty() && unexpected.isEmpty() && misshapen.isEmpty();
    }
}
