# Words of texts, found without being made.

cdef uint64_t FNV_BASIS = 0xCBF29CE484222325
cdef uint64_t FNV_PRIME = 0x100000001B3


cdef class Words:
    """As the other: strings by which the words of a text are counted; those of ASCII are found without being made."""

    cdef set _all
    cdef PyObject** _table
    cdef uint64_t _mask

    def __cinit__(self):
        self._all = set()
        self._mask = 255
        self._table = <PyObject**>PyMem_Malloc((self._mask + 1) * sizeof(PyObject*))
        if self._table == NULL:
            raise MemoryError
        self._empty()

    def __dealloc__(self):
        PyMem_Free(self._table)

    def __len__(self):
        return len(self._all)

    def __contains__(self, word):
        return word in self._all

    def add(self, str word not None):
        """Know ``word`` from now on."""
        cdef PyObject** table
        if word in self._all:
            return
        self._all.add(word)
        if 2 * <uint64_t>len(self._all) > self._mask:
            table = <PyObject**>PyMem_Realloc(self._table, 4 * (self._mask + 1) * sizeof(PyObject*))
            if table == NULL:
                raise MemoryError
            self._table, self._mask = table, 4 * (self._mask + 1) - 1
            self._empty()
            for known in self._all:
                self._enter(known)
        else:
            self._enter(word)

    def clear(self):
        """Forget all."""
        self._empty()
        self._all.clear()

    def count(self, str text not None):
        """How many of the parts of ``text`` between white space are known, and those that aren't."""
        cdef Py_ssize_t found = 0
        new = self.tally(text, &found)
        return found, new

    cdef object tally(self, str text, Py_ssize_t* known):
        """Parts of ``text`` that aren't known, and in ``known`` how many are."""
        cdef list new = None
        if not PyUnicode_IS_ASCII(text):
            parts = text.split()
            new = [part for part in parts if part not in self._all]
            known[0] = len(parts) - len(new)
            return new
        cdef const unsigned char* data = <const unsigned char*>PyUnicode_DATA(text)
        cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text)
        cdef Py_ssize_t k = 0, first, found = 0
        cdef uint64_t mixed
        while True:
            while k < size and is_space(data[k]):
                k += 1
            if k == size:
                known[0] = found
                return new or ()
            first = k
            mixed = FNV_BASIS
            while k < size and not is_space(data[k]):
                mixed = (mixed ^ data[k]) * FNV_PRIME
                k += 1
            if self._has(data + first, k - first, mixed):
                found += 1
                continue
            part = PyUnicode_FromKindAndData(1, data + first, k - first)
            if part in self._all:  # which had no place in the table
                found += 1
            elif new is None:
                new = [part]
            else:
                new.append(part)

    cdef inline bint _has(self, const unsigned char* word, Py_ssize_t size, uint64_t mixed):
        cdef uint64_t slot = mixed ^ mixed >> 32
        cdef PyObject* known
        cdef int probe
        for probe in range(PROBES):
            known = self._table[(slot + probe) & self._mask]
            if known == NULL:
                return False
            if PyUnicode_GET_LENGTH(<object>known) == size and memcmp(PyUnicode_DATA(<object>known), word, size) == 0:
                return True
        return False

    cdef void _enter(self, object word):
        """Have the table point to a word that ``_all`` keeps; where its places are taken, it isn't found by it."""
        cdef const unsigned char* data
        cdef uint64_t mixed = FNV_BASIS
        cdef Py_ssize_t k
        cdef int probe
        if not PyUnicode_IS_ASCII(word):
            return
        data = <const unsigned char*>PyUnicode_DATA(word)
        for k in range(PyUnicode_GET_LENGTH(word)):
            mixed = (mixed ^ data[k]) * FNV_PRIME
        mixed ^= mixed >> 32
        for probe in range(PROBES):
            if self._table[(mixed + probe) & self._mask] == NULL:
                self._table[(mixed + probe) & self._mask] = <PyObject*>word
                return

    cdef void _empty(self):
        cdef uint64_t k
        for k in range(self._mask + 1):
            self._table[k] = NULL
