package otherwise.explain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import otherwise.models.clip.ClipNames;
import otherwise.models.swin.SwinNames;
import otherwise.models.umt5.Umt5Names;
import otherwise.models.wan.WanNames;
import otherwise.nn.Names;

/// The rules of every naming against lists of all names of the full-size checkpoints, in both directions.
class NameMapsTest {
    private static final Path MANIFESTS = Path.of("../shared/goldens/manifests");

    /// A list, the naming that must give it, and what stands before our names in it.
    private record Case(String file, Names names, String prefix) {}

    @TestFactory
    Stream<DynamicTest> everyEntryBothWays() {
        return Stream.of(
                new Case("wan_dit_i2v_official_to_diffusers", WanNames.TRANSFORMER.getFirst(), ""),
                new Case("wan_dit_t2v_official_to_diffusers", WanNames.TRANSFORMER.getFirst(), ""),
                new Case("wan_vae_official_to_diffusers", WanNames.vae(2).getFirst(), ""),
                new Case("clip_visual_official_to_transformers", ClipNames.ALL.getFirst(), "visual."),
                new Case("umt5_official_to_transformers", Umt5Names.ALL.getFirst(), ""),
                new Case("swin3d_t_torchvision_to_official", SwinNames.ORIGINAL, ""),
                new Case("swin3d_s_torchvision_to_official", SwinNames.ORIGINAL, ""),
                new Case("swin3d_b_torchvision_to_official", SwinNames.ORIGINAL, ""))
                .map(c -> DynamicTest.dynamicTest(c.file, () -> compare(c)));
    }

    /// Each of ours gives exactly what the list has beside it, and each of theirs leads back; together they give back both columns.
    private static void compare(Case c) throws IOException {
        var file = MANIFESTS.resolve("namemap_" + c.file + ".json");
        assumeTrue(Files.exists(file), "the lists of names are not here");
        var allOurs = new TreeSet<String>();
        var allTheirs = new TreeSet<String>();
        var mapped = new TreeSet<String>();
        for (var entry : new JsonMapper().readTree(file.toFile()).required("map").properties()) {
            var ours = entry.getKey().substring(c.prefix.length());
            var theirs = theirs(entry.getValue());
            var origin = c.names.origin(ours).orElseThrow(() -> new AssertionError("no rule for " + ours));
            assertEquals(theirs, origin.names(), ours);
            assertEquals(change(entry.getValue()), change(origin), ours);
            for (var name : theirs) assertEquals(ours, c.names.ours(name).orElse("unknown"), name);
            allOurs.add(ours);
            allTheirs.addAll(theirs);
            mapped.addAll(origin.names());
        }
        assertEquals(allTheirs, mapped);
        // A file that lists them is known for what it is, and has nothing that the network would not find.
        var found = Names.in(allTheirs, List.of(c.names)).orElseThrow();
        assertEquals("", found.prefix());
        var back = new TreeSet<String>();
        for (var name : allTheirs) back.add(found.names().ours(name).orElseThrow());
        assertEquals(allOurs, back);
    }

    private static List<String> theirs(JsonNode value) {
        if (value.isTextual()) return List.of(value.asText());
        var names = new ArrayList<String>();
        value.get(0).forEach(n -> names.add(n.asText()));
        return names;
    }

    private static String change(JsonNode value) {
        return value.isTextual() ? "same" : value.get(1).asText().replaceAll(" .*\\[1,1,C\\].*", " 2").replaceAll(" .*\\[1,L,C\\].*", " 1")
                .replaceAll("transpose .*", "transpose").replaceAll("split .*", "same");
    }

    private static String change(Names.Origin origin) {
        if (origin.leading() > 0) return "reshape " + origin.leading();
        return origin.transposed() ? "transpose" : "same";
    }
}
