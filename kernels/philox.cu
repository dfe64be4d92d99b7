// Random numbers by Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
//
// The generator has no state that goes from number to number: ten rounds of a keyed bijection make four words of 32 bits out of a counter
// of 128, whose high half is the number of the stream and whose low half goes up. So every thread makes its own numbers, and any of them
// can be made again. A round multiplies two of the words, keeps both halves of each product, and mixes the other two and the key into them.
//
//   uniform:  u_i = ⌊w_i / 2⁸⌋ · 2⁻²⁴                                          in [0, 1)
//   normal:   r = √(−2 ln((w₀+1)·2⁻³²)), a = 2π·w₁·2⁻³²  →  r·cos a, r·sin a    (Box & Muller), and the same of w₂, w₃
//
// The normal numbers are made in double and then rounded: functions of different makers differ in the last bits of a double, so that
// rounded they are the same numbers on every device, but for one in a hundred million or so.
//
// One thread a counter, that is four numbers; grid-stride. Ideal traffic: n elements written. Limited by the arithmetic in double, of which
// small devices do a sixty-fourth of what they do in float; noise is drawn seldom. Java: backend/cuda/Philox.java, backend/Philox4x32.java.
#include "common.cuh"

struct Words {
    unsigned w[4];
};

__device__ inline Words words_of(i64 seed, i64 stream, i64 counter) {
    unsigned c0 = (unsigned) counter, c1 = (unsigned) (counter >> 32), c2 = (unsigned) stream, c3 = (unsigned) (stream >> 32);
    unsigned k0 = (unsigned) seed, k1 = (unsigned) (seed >> 32);
    for (int round = 0; round < 10; round++) {
        unsigned long long p0 = 0xd2511f53ull * c0;
        unsigned long long p1 = 0xcd9e8d57ull * c2;
        c0 = (unsigned) (p1 >> 32) ^ c1 ^ k0;
        c2 = (unsigned) (p0 >> 32) ^ c3 ^ k1;
        c1 = (unsigned) p1;
        c3 = (unsigned) p0;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    return Words{{c0, c1, c2, c3}};
}

// y [n] = uniform numbers, four a counter from `counter` on; the last counter may have numbers to spare.
KERNEL philox_uniform(real* y, i64 seed, i64 stream, i64 counter, i64 n) {
    for (i64 t = thread_number(); 4 * t < n; t += thread_count()) {
        Words words = words_of(seed, stream, counter + t);
        for (int k = 0; k < 4; k++) {
            if (4 * t + k < n) put(y + 4 * t + k, (float) (words.w[k] >> 8) * 0x1p-24f);
        }
    }
}

// The same with normal numbers.
KERNEL philox_normal(real* y, i64 seed, i64 stream, i64 counter, i64 n) {
    for (i64 t = thread_number(); 4 * t < n; t += thread_count()) {
        Words words = words_of(seed, stream, counter + t);
        for (int k = 0; k < 4; k += 2) {
            // in (0, 1], so that it has a logarithm
            double radius = sqrt(-2. * log(((double) words.w[k] + 1.) * 0x1p-32));
            double angle = 2. * 3.14159265358979323846 * ((double) words.w[k + 1] * 0x1p-32);
            if (4 * t + k < n) put(y + 4 * t + k, (float) (radius * cos(angle)));
            if (4 * t + k + 1 < n) put(y + 4 * t + k + 1, (float) (radius * sin(angle)));
        }
    }
}
