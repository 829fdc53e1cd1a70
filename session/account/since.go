package account

// Since returns the delta that brings a device which has old to have p too: the
// fields of which p knows a later write. It is zero where there are none.
func (p Profile) Since(old Profile) Profile {
	var d Profile
	d.allocate()
	d.name = p.name.since(old.name)
	d.contact = p.contact.since(old.contact)
	d.presence = p.presence.since(old.presence)
	for id, r := range p.devices {
		if later := r.since(old.devices[id]); later.written() {
			d.devices[id] = later
		}
	}
	for id, b := range p.buddies {
		o := old.buddies[id]
		later := buddy{
			state: b.state.since(o.state), block: b.block.since(o.block),
			petname: b.petname.since(o.petname), secret: b.secret.since(o.secret),
		}
		if later != (buddy{}) {
			d.buddies[id] = later
		}
	}
	return d
}

// since returns r if it is later than o, else nothing.
func (r register) since(o register) register {
	if r.compare(o) > 0 {
		return r
	}
	return register{}
}
