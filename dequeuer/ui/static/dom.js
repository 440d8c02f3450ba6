// Makes elements. Text from outside becomes text nodes and attributes; there is no way to make markup of it.

import { visible } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const SHOWN = new Set(["title", "aria-label"]);

/**
 * Return an element. Attributes that are functions are listeners (`onclick`); null and false leave an attribute out.
 * Children are elements, or values that are shown as text; null and false are left out.
 */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Return an element of SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Show a text in an element. The document is not touched when it is there already. */
export function setText(element, text) {
  const shown = visible(text);
  if (element.firstChild === null) element.append(shown);
  else if (element.firstChild.nodeValue !== shown) element.firstChild.nodeValue = shown;
}

/** Set an attribute, or remove it when the value is null. The document is not touched when it is there already. */
export function setAttribute(element, name, value) {
  if (value === null) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = SHOWN.has(name) ? visible(value) : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Replace all children. */
export function replace(element, ...children) {
  element.replaceChildren(...children.filter(isShown).map(asNode));
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) setAttribute(element, name, value);
  }
  element.append(...children.flat().filter(isShown).map(asNode));
  return element;
}

function isShown(child) {
  return child !== null && child !== undefined && child !== false;
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(visible(child));
}
