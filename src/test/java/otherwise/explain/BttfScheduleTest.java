package otherwise.explain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;
import otherwise.explain.BttfSchedule.Mode;
import otherwise.explain.BttfSchedule.Stage;

class BttfScheduleTest {

    /// The n of every iteration, negative in stage 1. `probability` is asked with the number of the iteration, from 1 on.
    private static List<Integer> walk(BttfSchedule schedule, IntToDoubleFunction probability) {
        var ns = new ArrayList<Integer>();
        for (var p = schedule.start(); !p.done(); p = schedule.after(p, probability.applyAsDouble(ns.size()))) {
            ns.add(p.stage() == Stage.INVERSION ? -p.n() : p.n());
            assertTrue(ns.size() <= schedule.atMost(), "it ends");
        }
        return ns;
    }

    @Test
    void thePaperTakesAsManyForEveryN() {
        var ns = walk(BttfSchedule.paper(), i -> 1);
        assertEquals(1500, ns.size());
        for (int n = 1; n <= 15; n++) assertEquals(100, java.util.Collections.frequency(ns, n));
    }

    @Test
    void inversionComesFirstAtOneStep() {
        assertEquals(List.of(-1, -1, 1, 1, 2, 2), walk(new BttfSchedule(Mode.EACH, 2, 2, 2, 0.9, 2, 1), i -> 0));
    }

    @Test
    void smallNGetMostOfABudgetThatEndsAtN() {
        var ns = walk(new BttfSchedule(Mode.BUDGET, 0, 11, 4, 0.9, 2, 2), i -> 0);
        assertEquals(List.of(1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 4), ns);
    }

    @Test
    void whatHoldsMovesOn() {
        // Reached from the second iteration on: n = 1 is left after the third, every further n after one, N after its few.
        var ns = walk(new BttfSchedule(Mode.BUDGET, 0, 30, 5, 0.9, 2, 3), i -> i >= 2 ? 0.95 : 0.2);
        assertEquals(List.of(1, 1, 1, 2, 3, 4, 5, 5, 5), ns);
    }

    @Test
    void whatIsLostAgainIsWorkedOn() {
        var ns = walk(new BttfSchedule(Mode.BUDGET, 0, 30, 3, 0.9, 2, 2), i -> i < 3 || i > 6 ? 0.95 : 0.2);
        assertEquals(List.of(1, 1, 2, 2, 2, 2, 2, 2, 3, 3), ns);
    }

    @Test
    void aSmallBudgetSkipsButReachesN() {
        for (int budget = 2; budget < 20; budget++) {
            var ns = walk(new BttfSchedule(Mode.BUDGET, 0, budget, 15, 0.9, 2, 1), i -> 0);
            assertEquals(15, ns.getLast(), ns.toString());
            assertEquals(budget, ns.size());
        }
    }

    @Test
    void straightIsAllAtN() {
        assertEquals(List.of(6, 6, 6, 6), walk(new BttfSchedule(Mode.STRAIGHT, 0, 4, 6, 0.9, 2, 2), i -> 0));
        assertEquals(List.of(6, 6, 6), walk(new BttfSchedule(Mode.STRAIGHT, 0, 9, 6, 0.9, 2, 3), i -> 1));
    }

    @Test
    void nonsenseIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new BttfSchedule(Mode.EACH, 0, 1, 0, 0.9, 2, 1));
        assertThrows(IllegalArgumentException.class, () -> new BttfSchedule(Mode.EACH, 0, 1, 1, 1.5, 2, 1));
        assertThrows(IllegalArgumentException.class, () -> new BttfSchedule(Mode.EACH, -1, 1, 1, 0.5, 2, 1));
    }

    /// What has been found is not walked away from; the paper's schedule walks on whatever happens.
    @Test
    void whatHoldsIsLeftAsItIs() {
        var once = new BttfSchedule(Mode.BUDGET, 0, 30, 5, 0.9, 1, 1);
        assertTrue(once.settles(once.start(), 0.9));
        assertFalse(once.settles(once.start(), 0.89));
        assertFalse(once.settles(once.start(), Double.NaN));
        var twice = new BttfSchedule(Mode.BUDGET, 0, 30, 5, 0.9, 2, 3);
        assertFalse(twice.settles(twice.start(), 1));
        assertTrue(twice.settles(twice.after(twice.start(), 1), 1));
        var finishing = new BttfSchedule(Mode.STRAIGHT, 0, 30, 5, 0.9, 1, 2);
        assertFalse(finishing.settles(finishing.start(), 1));
        assertTrue(finishing.settles(finishing.after(finishing.start(), 1), 1));
        var each = new BttfSchedule(Mode.EACH, 1, 2, 2, 0.9, 1, 1);
        assertFalse(each.settles(each.start(), 1));
        assertFalse(each.settles(each.after(each.start(), 1), 1));
    }
}
