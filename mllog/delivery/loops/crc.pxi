# CRC-32 as zlib has it, of bytes that stand in a buffer.

cdef extern from *:
    """
    #if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
    #define CAN_FOLD 1
    #include <emmintrin.h>
    #include <wmmintrin.h>

    /* Of a multiple of 16 bytes, 64 or more, by carry-less multiplication: V. Gopal et al., Fast CRC Computation for
       Generic Polynomials Using PCLMULQDQ Instruction (Intel, 2009), whose names the constants have. ``crc`` is the
       inverted one, here and in what is returned. */
    __attribute__((target("sse2,pclmul")))
    static unsigned int folded(unsigned int crc, const unsigned char *data, Py_ssize_t size)
    {
        const __m128i k1k2 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
        const __m128i k3k4 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
        const __m128i k5 = _mm_set_epi64x(0, 0x0163cd6124);
        const __m128i poly = _mm_set_epi64x(0x01f7011641, 0x01db710641);
        const __m128i low = _mm_setr_epi32(~0, 0, ~0, 0);
        __m128i x[4], y;
        int k;
        for (k = 0; k < 4; k++)
            x[k] = _mm_loadu_si128((const __m128i *)(data + 16 * k));
        x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)crc));
        for (data += 64, size -= 64; size >= 64; data += 64, size -= 64)
            for (k = 0; k < 4; k++) {
                y = _mm_clmulepi64_si128(x[k], k1k2, 0x00);
                x[k] = _mm_xor_si128(_mm_clmulepi64_si128(x[k], k1k2, 0x11), y);
                x[k] = _mm_xor_si128(x[k], _mm_loadu_si128((const __m128i *)(data + 16 * k)));
            }
        for (k = 1; k < 4; k++) {
            y = _mm_clmulepi64_si128(x[0], k3k4, 0x00);
            x[0] = _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(x[0], k3k4, 0x11), y), x[k]);
        }
        for (; size >= 16; data += 16, size -= 16) {
            y = _mm_clmulepi64_si128(x[0], k3k4, 0x00);
            x[0] = _mm_xor_si128(_mm_clmulepi64_si128(x[0], k3k4, 0x11), y);
            x[0] = _mm_xor_si128(x[0], _mm_loadu_si128((const __m128i *)data));
        }
        /* 128 bits to 64, to 32 by Barrett's reduction. */
        y = _mm_clmulepi64_si128(x[0], k3k4, 0x10);
        x[0] = _mm_xor_si128(_mm_srli_si128(x[0], 8), y);
        y = _mm_srli_si128(x[0], 4);
        x[0] = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(x[0], low), k5, 0x00), y);
        y = _mm_clmulepi64_si128(_mm_and_si128(x[0], low), poly, 0x10);
        y = _mm_clmulepi64_si128(_mm_and_si128(y, low), poly, 0x00);
        return (unsigned int)_mm_cvtsi128_si32(_mm_srli_si128(_mm_xor_si128(x[0], y), 4));
    }
    static int can_fold(void) { return __builtin_cpu_supports("pclmul") != 0; }
    #else
    static unsigned int folded(unsigned int crc, const unsigned char *data, Py_ssize_t size) { return crc; }
    static int can_fold(void) { return 0; }
    #endif
    """
    unsigned int folded(unsigned int, const unsigned char*, Py_ssize_t)
    bint can_fold()

cdef bint FOLDS = can_fold()
cdef unsigned int[256] REMAINDERS


cdef fill_remainders():
    cdef unsigned int byte, remainder
    for byte in range(256):
        remainder = byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (0xEDB88320 if remainder & 1 else 0)
        REMAINDERS[byte] = remainder


fill_remainders()


cdef unsigned int crc_of(const char* data, Py_ssize_t size) except? 0:
    """The CRC-32 of some bytes; zlib's own is several times slower than a processor that can multiply so."""
    cdef unsigned int crc = 0xFFFFFFFF
    cdef Py_ssize_t whole
    if not FOLDS:
        return zlib_crc32(PyMemoryView_FromMemory(<char*>data, size, PyBUF_READ))
    if size >= 64:
        whole = size & ~<Py_ssize_t>15
        crc = folded(crc, <const unsigned char*>data, whole)
        data += whole
        size -= whole
    while size > 0:
        crc = crc >> 8 ^ REMAINDERS[(crc ^ <unsigned char>data[0]) & 0xFF]
        data += 1
        size -= 1
    return crc ^ 0xFFFFFFFF


def crc32(bytes data not None):
    """As :func:`zlib.crc32`."""
    return crc_of(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
