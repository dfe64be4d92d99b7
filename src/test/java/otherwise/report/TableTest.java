package otherwise.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class TableTest {

    private static final Table TABLE = Table.of("class", "p", "clips", "note")
            .row("up", 0.98765, 12, "7")
            .row("down | left", "<0.01", 1000, "none\nat all")
            .row("größer", Double.NaN, 3, "");

    @Test
    void numbersStandToTheRightInText() {
        assertEquals("""
                class            p  clips  note
                ──────────────────────────────────────
                up           0.988     12  7
                down | left  <0.01   1000  none at all
                größer           –      3
                """, TABLE.text());
    }

    @Test
    void andInMarkdown() {
        assertEquals("""
                | class        |        p | clips | note        |
                |--------------|---------:|------:|-------------|
                | up           |    0.988 |    12 | 7           |
                | down \\| left | &lt;0.01 |  1000 | none at all |
                | größer       |        – |     3 |             |
                """, TABLE.markdown());
    }

    @Test
    void unitsAndIntervalsAreNumbersStill() {
        assertEquals("     a\n──────\n  95 %\n-1e-05\n", Table.of("a").row("95 %").row("-1e-05").text());
        assertEquals("            a\n─────────────\n0.951 ± 0.004\n           12\n", Table.of("a").row("0.951 ± 0.004").row(12).text());
    }

    @Test
    void aColumnWithoutAnyNumberStandsToTheLeft() {
        assertEquals("why\n───\n–\n", Table.of("why").row("–").text());
    }

    @Test
    void rowsMustFit() {
        var e = assertThrows(IllegalArgumentException.class, () -> Table.of("a", "b").row(1));
        assertEquals("1 cells for 2 columns: [1]", e.getMessage());
    }
}
