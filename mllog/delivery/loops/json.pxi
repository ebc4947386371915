# Writing JSON into a buffer that grows.

cdef struct Buffer:
    char* data
    Py_ssize_t used
    Py_ssize_t room


cdef inline int begin(Buffer* buffer, Py_ssize_t room) except -1:
    buffer.used, buffer.room = 0, room
    buffer.data = <char*>PyMem_Malloc(room)
    if buffer.data == NULL:
        raise MemoryError
    return 0


cdef inline int make_room(Buffer* buffer, Py_ssize_t size) except -1:
    cdef char* data
    if buffer.used + size > buffer.room:
        data = <char*>PyMem_Realloc(buffer.data, 2 * buffer.room + size)
        if data == NULL:
            raise MemoryError
        buffer.data, buffer.room = data, 2 * buffer.room + size
    return 0


cdef inline int put(Buffer* buffer, const char* data, Py_ssize_t size) except -1:
    make_room(buffer, size)
    memcpy(buffer.data + buffer.used, data, size)
    buffer.used += size
    return 0


cdef inline int put_bytes(Buffer* buffer, bytes data) except -1:
    return put(buffer, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef inline int end_with(Buffer* buffer, char char) except -1:
    """Put ``char``, in the place of a comma where one is last."""
    if buffer.data[buffer.used - 1] == c",":
        buffer.used -= 1
    return put(buffer, &char, 1)


cdef inline int put_number(Buffer* buffer, long long number, int digits = 1) except -1:
    """An integer that isn't negative, with leading zeros up to ``digits``."""
    cdef char[24] text
    cdef int k = 24
    while number or digits > 0:
        k -= 1
        digits -= 1
        text[k] = c"0" + <char>(number % 10)
        number //= 10
    return put(buffer, text + k, 24 - k)


cdef uint64_t ONES = 0x0101010101010101
cdef uint64_t HIGHEST_BITS = 0x8080808080808080


cdef inline bint needs_escape(uint64_t eight):
    """Whether one of eight characters is a quote, a backslash or below 0x20; may be said of others above 0x7F too."""
    cdef uint64_t quotes = eight ^ 0x22 * ONES
    cdef uint64_t slashes = eight ^ 0x5C * ONES
    cdef uint64_t low = eight - 0x20 * ONES
    quotes -= ONES
    slashes -= ONES
    # A subtraction that borrows sets the highest bit; where one borrows from its neighbour, that one was found as well.
    return ((low | quotes | slashes | eight) & HIGHEST_BITS) != 0


cdef tuple CONTROLS = tuple([dumps(chr(char)).strip(b'"') for char in range(0x20)])


cdef int put_text(Buffer* buffer, object text) except -1:
    """A string as JSON has it: quoted, and escaped where RFC 8259 (section 7) wants it, to the byte as orjson does."""
    cdef Py_ssize_t size, k
    cdef Py_ssize_t copied = 0
    cdef unsigned char char
    cdef uint64_t eight
    cdef const char* data
    if PyUnicode_IS_ASCII(text):
        data, size = <const char*>PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text)
    else:
        data = PyUnicode_AsUTF8AndSize(text, &size)
    make_room(buffer, size + 2)
    buffer.data[buffer.used] = c'"'
    buffer.used += 1
    k = 0
    while k < size:
        if size - k >= 8:
            memcpy(&eight, data + k, 8)
            if not needs_escape(eight):
                k += 8
                continue
        char = <unsigned char>data[k]
        if char < 0x20 or char == c'"' or char == c"\\":
            put(buffer, data + copied, k - copied)
            copied = k + 1
            if char < 0x20:
                put_bytes(buffer, <bytes>item(CONTROLS, char))
            else:
                put(buffer, "\\", 1)
                put(buffer, <char*>&char, 1)
        k += 1
    put(buffer, data + copied, size - copied)
    return put(buffer, '"', 1)
