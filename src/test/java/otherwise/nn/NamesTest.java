package otherwise.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import otherwise.nn.Names.Origin;

class NamesTest {
    private static final Names THEIRS = Names.of(
            "theirs", "layers.0.q.weight",
            """
                    blocks.#.qkv.*    layers.#.q.* layers.#.k.* layers.#.v.*
                    blocks.#.out      layers.#.o            T
                    place             tables.place          +1
                    blocks.#.*        layers.#.*
                    """,
            "tables.ids", "blocks.#.cache");
    private static final Names OURS = Names.own("ours", "blocks.0.out");

    @Test
    void theFirstRuleThatMatchesHolds() {
        assertEquals(
                new Origin(List.of("layers.3.q.weight", "layers.3.k.weight", "layers.3.v.weight"), 0, false),
                THEIRS.origin("blocks.3.qkv.weight").orElseThrow());
        assertEquals(new Origin(List.of("layers.12.o"), 0, true), THEIRS.origin("blocks.12.out").orElseThrow());
        assertEquals(new Origin(List.of("tables.place"), 1, false), THEIRS.origin("place").orElseThrow());
        assertEquals(new Origin(List.of("layers.0.mlp.0.bias"), 0, false), THEIRS.origin("blocks.0.mlp.0.bias").orElseThrow());
        assertEquals("blocks.3.qkv.weight", THEIRS.ours("layers.3.k.weight").orElseThrow());
        assertEquals("blocks.3.norm.weight", THEIRS.ours("layers.3.norm.weight").orElseThrow());
    }

    @Test
    void numbersAreNumbersAndTheRestIsNotEmpty() {
        assertEquals(Optional.empty(), THEIRS.origin("blocks.x.qkv.weight"));
        assertEquals(Optional.empty(), THEIRS.ours("layers.3"));
        assertEquals(Optional.empty(), THEIRS.ours("layers.#.norm"));
        assertTrue(THEIRS.isSpare("blocks.7.cache"));
        assertFalse(THEIRS.isSpare("blocks.7.cache.more"));
        assertThrows(IllegalArgumentException.class, () -> Names.of("broken", "a", "alone"));
    }

    @Test
    void aFileTellsItsNaming() {
        var known = List.of(THEIRS, OURS);
        assertEquals(new Names.Found(THEIRS, ""), Names.in(List.of("tables.place", "layers.0.q.weight"), known).orElseThrow());
        assertEquals(new Names.Found(OURS, ""), Names.in(List.of("blocks.0.out"), known).orElseThrow());
        var wrapped = List.of("meta.epoch", "state_dict.layers.0.q.weight");
        assertEquals(new Names.Found(THEIRS, "state_dict."), Names.in(wrapped, known).orElseThrow());
        assertEquals(Optional.empty(), Names.in(List.of("xlayers.0.q.weight", "other"), known));
    }
}
