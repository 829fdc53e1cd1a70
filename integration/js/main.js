import { checkVectors } from './vectors.js'
console.log(JSON.stringify(await checkVectors()))
