// A WebSocket echo and a client of it, as anybody would write them, for the
// test that has them talk through Panpipe's gateway.
//
//   websocket.js serve HOST PORT
//   websocket.js talk URL          until standard input ends
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { WebSocketServer } from 'ws'

const [role, ...args] = process.argv.slice(2)
const digest = (bytes) => createHash('sha256').update(bytes).digest('hex')

function fail (why) {
  console.error(why)
  process.exit(1)
}

function serve (host, port) {
  const server = new WebSocketServer({ host, port: Number(port), maxPayload: 1 << 24 })
  server.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })))
  server.on('listening', () => console.log('listening'))
}

// talk has a few messages under way at a time, of all sizes up to a mebibyte.
function talk (url) {
  const socket = new WebSocket(url)
  socket.binaryType = 'arraybuffer'
  const sent = []
  let count = 0
  let enough = false
  process.stdin.on('end', () => { enough = true }).resume()
  const say = () => {
    const message = randomBytes(randomInt(1, 1 << 20))
    sent.push(digest(message))
    socket.send(message)
  }
  socket.onopen = () => { for (let i = 0; i < 4; i++) say() }
  socket.onmessage = ({ data }) => {
    if (digest(new Uint8Array(data)) !== sent.shift()) fail(`message ${count} came back as another`)
    count++
    if (!enough) say()
    else if (sent.length === 0) socket.close(1000)
  }
  socket.onerror = ({ error, message }) => fail(`${message}: ${error}`)
  socket.onclose = ({ code, wasClean }) => {
    if (code !== 1000 || !wasClean) fail(`closed with ${code}`)
    console.log(count)
    process.exit(0)
  }
}

if (role === 'serve') serve(...args)
else talk(...args)
