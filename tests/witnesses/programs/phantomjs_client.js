// PhantomJS 1.9.8, a WebKit of 2011 that speaks hixie-76. Usage and lines: see ../witness.py.
// It opens the relay's own page, so that it has an Origin, and joins a room from there.
"use strict";

var system = require("system");
var page = require("webpage").create();
var url = system.args[1];
var heard = [];
var isAsked = false;

function say(line) {
  system.stdout.write(line + "\n");
  system.stdout.flush();
}

// To read a line is to stop the page, so the next is not read before this one has its answer.
function answer() {
  if (isAsked && heard.length > 0) {
    isAsked = false;
    say(heard.shift());
    setTimeout(readLine, 0);
  }
}

function readLine() {
  var line = system.stdin.readLine();
  if (line === "") {
    phantom.exit();
    return;
  }
  var verb = line.split(" ", 1)[0];
  if (verb === "hear") {
    isAsked = true;
    answer();
    return;
  }
  page.evaluate(
    function (verb, rest) {
      if (verb === "text") {
        window.socket.send(rest);
      } else {
        window.socket.close();
      }
    },
    verb,
    line.slice(verb.length + 1)
  );
  setTimeout(readLine, 0);
}

page.onCallback = function (line) {
  heard.push(line);
  answer();
};

page.open(url.replace("ws", "http").replace(/\/rooms\/.*/, "/"), function () {
  isAsked = true;
  page.evaluate(function (url) {
    var isOpen = false;
    var socket = new WebSocket(url);
    socket.onopen = function () {
      isOpen = true;
      window.callPhantom("open");
    };
    socket.onmessage = function (event) {
      window.callPhantom("text " + event.data);
    };
    socket.onclose = function () {
      window.callPhantom(isOpen ? "closed" : "refused");
    };
    window.socket = socket;
  }, url);
});
