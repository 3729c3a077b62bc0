// Calico's own go.mod names this module by a path inside its repository, and the module proxy does not serve it. Nothing that
// we build imports it; this empty stand-in lets the module graph be complete.
module github.com/projectcalico/calico/lib/httpmachinery

go 1.24.9
