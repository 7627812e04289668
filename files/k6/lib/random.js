// SPDX-License-Identifier: GPL-3.0-or-later
/** Seeded random numbers: the same seed words result in the same choices on every machine and k6 version. */

/** 32-bit FNV-1a hash of a text, used to turn words into a generator's state. */
function hash(text) {
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  }
  return state >>> 0;
}

/**
 * Create a generator (mulberry32: 32 bits of state, enough for the few draws of one journey).
 * @param {...(string|number)} words what identifies the stream: seed, scenario, iteration
 * @returns {function(): number} uniform numbers in [0, 1)
 */
export function createRandom(...words) {
  let state = hash(words.join('|'));
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** One element of a list, every one equally likely; undefined when the list is empty. */
export function pick(random, list) {
  return list[Math.floor(random() * list.length)];
}

/** The weight of a tenant by its rank: k^-exponent, or `factor` of the first one and 1 of each other. */
const WEIGHTS = {
  zipf: ({ exponent }) => (rank) => rank ** -exponent,
  noisy: ({ factor }) => (rank) => (rank === 1 ? factor : 1),
};

/** Cumulative weights of ranks 1..count. */
function cumulated(count, weight) {
  const sums = new Array(count);
  let total = 0;
  for (let rank = 1; rank <= count; rank += 1) {
    total += weight(rank);
    sums[rank - 1] = total;
  }
  return sums;
}

/**
 * Create the function that draws a tenant's number.
 * @param {number} count number of tenants
 * @param {{distribution: string, exponent: (number|undefined), factor: (number|undefined)}} choice uniform, zipf (tenant 1 is the hottest), or
 * noisy (tenant 1 has that many times the load of each other)
 * @returns {function(function(): number): number} takes a generator, returns 1..count
 */
export function createChooser(count, choice) {
  if (choice.distribution === 'uniform') return (random) => 1 + Math.floor(random() * count);
  const sums = cumulated(count, WEIGHTS[choice.distribution](choice));
  return (random) => {
    const target = random() * sums[count - 1];
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] <= target) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
}
