/// `otherwise inspect`: what a network is made of, what it would take, and what a layer of it sees.
package otherwise.cli.inspect;
