module kite-for-deno/peer

go 1.24

require github.com/koding/kite v0.0.0-20180710021347-baa1a54919e3

require (
	github.com/armon/go-radix v0.0.0-20180808171621-7fddfc383310 // indirect
	github.com/bgentry/speakeasy v0.1.0 // indirect
	github.com/fatih/color v1.7.0 // indirect
	github.com/hashicorp/errwrap v1.0.0 // indirect
	github.com/hashicorp/go-multierror v1.0.0 // indirect
	github.com/koding/websocketproxy v0.0.0-20180716164433-0fa3f994f6e7 // indirect
	github.com/mattn/go-colorable v0.0.9 // indirect
	github.com/mattn/go-isatty v0.0.3 // indirect
	github.com/mitchellh/cli v1.0.0 // indirect
	github.com/posener/complete v1.1.1 // indirect
)

// The versions that the Go kite was last built with (its Gopkg.lock of July 2018).
require (
	github.com/BurntSushi/toml v0.3.1 // indirect
	github.com/cenkalti/backoff v1.1.0 // indirect
	github.com/coreos/etcd v3.3.8+incompatible // indirect
	github.com/coreos/go-semver v0.2.0 // indirect
	github.com/dgrijalva/jwt-go v3.2.0+incompatible // indirect
	github.com/fatih/camelcase v1.0.0 // indirect
	github.com/fatih/structs v1.0.0 // indirect
	github.com/gorilla/context v1.1.1 // indirect
	github.com/gorilla/mux v1.6.2 // indirect
	github.com/gorilla/websocket v1.2.0 // indirect
	github.com/hashicorp/go-version v0.0.0-20180322230233-23480c066577 // indirect
	github.com/igm/sockjs-go v0.0.0-20171030210102-c8a8c6429d10 // indirect
	github.com/juju/ratelimit v1.0.1 // indirect
	github.com/koding/cache v0.0.0-20161222233015-e8a81b0b3f20 // indirect
	github.com/koding/logging v0.0.0-20160720134017-8b5a689ed69b // indirect
	github.com/koding/multiconfig v0.0.0-20171124222453-69c27309b2d7 // indirect
	github.com/lann/builder v0.0.0-20180802200727-47ae307949d0 // indirect
	github.com/lann/ps v0.0.0-20150810152359-62de8c46ede0 // indirect
	github.com/lann/squirrel v1.1.0 // indirect
	github.com/lib/pq v1.0.0 // indirect
	github.com/satori/go.uuid v1.2.1-0.20180103174451-36e9d2ebbde5 // indirect
	github.com/ugorji/go v1.1.1 // indirect
)

// Where the proxy has not that very revision: the nearest release.
require (
	golang.org/x/crypto v0.1.0 // indirect
	golang.org/x/net v0.1.0 // indirect
	golang.org/x/sys v0.1.0 // indirect
	golang.org/x/term v0.1.0 // indirect
	gopkg.in/check.v1 v1.0.0-20201130134442-10cb98267c6c // indirect
	gopkg.in/mgo.v2 v2.0.0-20180705113604-9856a29383ce // indirect
	gopkg.in/yaml.v2 v2.2.1 // indirect
)

// The same author's package, under the name that it moved to.
replace github.com/lann/squirrel => github.com/Masterminds/squirrel v1.1.0

tool github.com/koding/kite/kitectl
