package pipe

// heapOf is a binary heap whose elements know their place, so that any of them
// can be moved or removed.
type heapOf[T any] struct {
	list   []*T
	before func(a, b *T) bool
	place  func(*T) *int
}

// first is the element before all others, nil for an empty heap.
func (h *heapOf[T]) first() *T {
	if len(h.list) == 0 {
		return nil
	}
	return h.list[0]
}

func (h *heapOf[T]) push(x *T) {
	h.list = append(h.list, x)
	*h.place(x) = len(h.list) - 1
	h.up(len(h.list) - 1)
}

// fix moves an element whose order has changed.
func (h *heapOf[T]) fix(x *T) {
	h.up(*h.place(x))
	h.down(*h.place(x))
}

func (h *heapOf[T]) remove(x *T) {
	i, last := *h.place(x), len(h.list)-1
	h.swap(i, last)
	h.list[last] = nil
	h.list = h.list[:last]
	if i < last {
		h.fix(h.list[i])
	}
}

func (h *heapOf[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.before(h.list[i], h.list[parent]) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *heapOf[T]) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h.list); child++ {
			if h.before(h.list[child], h.list[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

func (h *heapOf[T]) swap(i, j int) {
	h.list[i], h.list[j] = h.list[j], h.list[i]
	*h.place(h.list[i]), *h.place(h.list[j]) = i, j
}
