//! Reads the pickles of `torch.save` as plain data. Nothing is executed and nothing is imported.
//!
//! A pickle is a program for a stack machine whose full form can call any Python function. Here only the instructions
//! that build data are known; the two functions that tensors and ordered dictionaries need are recognised by name and
//! turned into [`Value`]s, any other function ends the reading. Objects live in one table of bounded size and refer to
//! each other by number, so that neither sharing nor nesting can make the memory grow beyond the file's own size.

use std::rc::Rc;

/// A thing in a pickle.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    /// A list or tuple: numbers of its items.
    List(Vec<usize>),
    /// Numbers of keys and values.
    Dict(Vec<(usize, usize)>),
    /// A name that the pickle would import.
    Global(Rc<str>),
    /// A persistent id: the number of its description.
    Storage(usize),
    /// A tensor on a storage: numbers of (storage, offset, shape, strides).
    Tensor([usize; 4]),
}

/// All objects of a pickle; the last is what it stands for.
#[derive(Debug)]
pub struct Pickle {
    objects: Vec<Value>,
    root: usize,
}

/// More objects than any checkpoint has.
const MAX_OBJECTS: usize = 4_000_000;

const TENSOR_MAKERS: [&str; 2] = ["torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"];

type Result<T> = std::result::Result<T, String>;

impl Pickle {
    /// # Errors      a phrase: an instruction or function that is no data, or the bytes end too early
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut machine = Machine { bytes, at: 0, objects: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: Vec::new() };
        let root = machine.run()?;
        Ok(Self { objects: machine.objects, root })
    }

    pub fn root(&self) -> &Value {
        &self.objects[self.root]
    }

    pub fn get(&self, number: usize) -> &Value {
        self.objects.get(number).unwrap_or(&Value::None)
    }

    /// The value of a text key of a dictionary.
    pub fn entry(&self, dict: &Value, key: &str) -> Option<&Value> {
        let Value::Dict(pairs) = dict else { return None };
        // Python keeps the last of equal keys.
        pairs.iter().rev().find(|(k, _)| matches!(self.get(*k), Value::Text(t) if **t == *key)).map(|(_, v)| self.get(*v))
    }

    /// Text keys and values of a dictionary.
    pub fn entries<'a>(&'a self, dict: &'a Value) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let pairs: &[_] = if let Value::Dict(pairs) = dict { pairs } else { &[] };
        pairs.iter().filter_map(|(k, v)| if let Value::Text(t) = self.get(*k) { Some((&**t, self.get(*v))) } else { None })
    }

    /// A list of natural numbers.
    pub fn sizes(&self, list: &Value) -> Option<Vec<usize>> {
        let Value::List(items) = list else { return None };
        items.iter().map(|i| if let Value::Int(n) = self.get(*i) { usize::try_from(*n).ok() } else { None }).collect()
    }

    /// Plain data as JSON; tensors, functions and what nests deeper than `depth` become null.
    pub fn json(&self, value: &Value, depth: usize) -> serde_json::Value {
        use serde_json::Value as Json;
        match value {
            _ if depth == 0 => Json::Null,
            Value::Bool(b) => (*b).into(),
            Value::Int(n) => (*n).into(),
            Value::Float(x) => (*x).into(),
            Value::Text(t) => (&**t).into(),
            Value::List(items) => items.iter().take(10_000).map(|i| self.json(self.get(*i), depth - 1)).collect(),
            Value::Dict(_) => {
                Json::Object(self.entries(value).take(10_000).map(|(k, v)| (k.to_owned(), self.json(v, depth - 1))).collect())
            }
            Value::None | Value::Global(_) | Value::Storage(_) | Value::Tensor(_) => Json::Null,
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    objects: Vec<Value>,
    stack: Vec<usize>,
    marks: Vec<usize>,
    memo: Vec<Option<usize>>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<usize> {
        loop {
            let op = self.take(1)?[0];
            match op {
                0x80 => _ = self.take(1)?, // protocol
                0x95 => _ = self.take(8)?, // frame
                b'.' => return self.pop(),
                b'(' => self.marks.push(self.stack.len()),
                b'N' => self.push(Value::None)?,
                0x88 => self.push(Value::Bool(true))?,
                0x89 => self.push(Value::Bool(false))?,
                b'K' => self.int(1)?,
                b'M' => self.int(2)?,
                b'J' => {
                    let n = i32::from_le_bytes(self.array()?);
                    self.push(Value::Int(n.into()))?;
                }
                0x8a => {
                    let len = self.take(1)?[0];
                    self.long(len)?;
                }
                b'G' => {
                    let x = f64::from_be_bytes(self.array()?);
                    self.push(Value::Float(x))?;
                }
                b'X' => {
                    let len = u32::from_le_bytes(self.array()?) as usize;
                    self.text(len)?;
                }
                0x8c => {
                    let len = usize::from(self.take(1)?[0]);
                    self.text(len)?;
                }
                0x8d => {
                    let len = usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|_| "a text is too long")?;
                    self.text(len)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.push(Value::Global(format!("{module} {name}").into()))?;
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let (Value::Text(module), Value::Text(name)) = (&self.objects[module], &self.objects[name]) else {
                        return Err("an import without a name".to_owned());
                    };
                    self.push(Value::Global(format!("{module} {name}").into()))?;
                }
                b')' | b']' => self.push(Value::List(Vec::new()))?,
                b'}' => self.push(Value::Dict(Vec::new()))?,
                b't' | b'l' => {
                    let items = self.pop_to_mark()?;
                    self.push(Value::List(items))?;
                }
                b'd' => {
                    let items = self.pop_to_mark()?;
                    self.push(Value::Dict(items.as_chunks::<2>().0.iter().map(|[k, v]| (*k, *v)).collect()))?;
                }
                0x85..=0x87 => {
                    let count = usize::from(op - 0x84);
                    let from = self.stack.len().checked_sub(count).ok_or("the stack is empty")?;
                    let items = self.stack.split_off(from);
                    self.push(Value::List(items))?;
                }
                b'a' => {
                    let item = self.pop()?;
                    self.extend(vec![item])?;
                }
                b'e' => {
                    let items = self.pop_to_mark()?;
                    self.extend(items)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.extend(vec![key, value])?;
                }
                b'u' => {
                    let items = self.pop_to_mark()?;
                    self.extend(items)?;
                }
                b'q' => {
                    let slot = usize::from(self.take(1)?[0]);
                    self.remember(slot)?;
                }
                b'r' => {
                    let slot = u32::from_le_bytes(self.array()?) as usize;
                    self.remember(slot)?;
                }
                0x94 => self.remember(self.memo.len())?,
                b'h' => {
                    let slot = usize::from(self.take(1)?[0]);
                    self.recall(slot)?;
                }
                b'j' => {
                    let slot = u32::from_le_bytes(self.array()?) as usize;
                    self.recall(slot)?;
                }
                b'Q' => {
                    let id = self.pop()?;
                    self.push(Value::Storage(id))?;
                }
                b'R' => self.call()?,
                b'b' => _ = self.pop()?, // attributes of an object: of no interest
                b'0' => _ = self.pop()?,
                b'2' => {
                    let top = *self.stack.last().ok_or("the stack is empty")?;
                    self.stack.push(top);
                }
                _ => return Err(format!("the instruction 0x{op:02x} at byte {} makes no plain data", self.at - 1)),
            }
            if self.stack.len() > MAX_OBJECTS || self.marks.len() > MAX_OBJECTS {
                return Err("too many objects".to_owned());
            }
        }
    }

    fn call(&mut self) -> Result<()> {
        let (args, function) = (self.pop()?, self.pop()?);
        let Value::Global(name) = self.objects[function].clone() else { return Err("a call of something that is no function".to_owned()) };
        let Value::List(items) = self.objects[args].clone() else { return Err(format!("a call of {name} without arguments")) };
        match (&*name, &items[..]) {
            ("collections OrderedDict", []) => self.push(Value::Dict(Vec::new())),
            (name, [storage, offset, shape, strides, ..]) if name == TENSOR_MAKERS[0] => {
                self.push(Value::Tensor([*storage, *offset, *shape, *strides]))
            }
            (name, [tensor, ..]) if name == TENSOR_MAKERS[1] => {
                self.stack.push(*tensor);
                Ok(())
            }
            _ => Err(format!("it wants to call {name:?}, which is not needed to read tensors and is not done")),
        }
    }

    fn extend(&mut self, items: Vec<usize>) -> Result<()> {
        let target = *self.stack.last().ok_or("the stack is empty")?;
        match &mut self.objects[target] {
            Value::List(list) => list.extend(items),
            Value::Dict(pairs) => pairs.extend(items.as_chunks::<2>().0.iter().map(|[k, v]| (*k, *v))),
            _ => return Err("items for something that holds none".to_owned()),
        }
        Ok(())
    }

    fn push(&mut self, value: Value) -> Result<()> {
        if self.objects.len() >= MAX_OBJECTS {
            return Err("too many objects".to_owned());
        }
        self.stack.push(self.objects.len());
        self.objects.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<usize> {
        self.stack.pop().ok_or_else(|| "the stack is empty".to_owned())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<usize>> {
        let mark = self.marks.pop().filter(|m| *m <= self.stack.len()).ok_or("a mark is missing")?;
        Ok(self.stack.split_off(mark))
    }

    fn remember(&mut self, slot: usize) -> Result<()> {
        let top = *self.stack.last().ok_or("the stack is empty")?;
        if slot > MAX_OBJECTS {
            return Err("too many objects".to_owned());
        }
        if self.memo.len() <= slot {
            self.memo.resize(slot + 1, None);
        }
        self.memo[slot] = Some(top);
        Ok(())
    }

    fn recall(&mut self, slot: usize) -> Result<()> {
        let number = self.memo.get(slot).copied().flatten().ok_or("something is recalled that was not remembered")?;
        self.stack.push(number);
        Ok(())
    }

    fn int(&mut self, len: usize) -> Result<()> {
        let n = self.take(len)?.iter().rev().fold(0i64, |n, b| n << 8 | i64::from(*b));
        self.push(Value::Int(n))
    }

    fn long(&mut self, len: u8) -> Result<()> {
        let bytes = self.take(usize::from(len))?;
        if bytes.len() > 8 {
            return Err("a number is too large".to_owned());
        }
        let mut wide = [if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 }; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn text(&mut self, len: usize) -> Result<()> {
        let text = std::str::from_utf8(self.take(len)?).map_err(|_| "a text is not UTF-8")?.into();
        self.push(Value::Text(text))
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.bytes[self.at..];
        let len = rest.iter().take(1024).position(|b| *b == b'\n').ok_or("a name does not end")?;
        self.at += len + 1;
        std::str::from_utf8(&rest[..len]).map_err(|_| "a name is not UTF-8".to_owned())
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len()).ok_or("it ends in the middle")?;
        let part = &self.bytes[self.at..end];
        self.at = end;
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| "it ends in the middle".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_data_is_read_and_shared_dictionaries_are_seen_as_they_end() {
        // {'a': d, 'b': d} with d = {} put into the memo while empty, then filled.
        let bytes = b"\x80\x02}(X\x01\x00\x00\x00a}q\x01X\x01\x00\x00\x00kK\x07sX\x01\x00\x00\x00bh\x01u.";
        let pickle = Pickle::parse(bytes).unwrap();
        assert_eq!(pickle.json(pickle.root(), 8), serde_json::json!({"a": {"k": 7}, "b": {"k": 7}}));
    }

    #[test]
    fn code_is_refused_by_name() {
        let error = Pickle::parse(b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00echo\x85R.").unwrap_err();
        assert!(error.contains("posix system"), "{error}");
    }

    #[test]
    fn broken_and_greedy_pickles_end_with_an_error() {
        for bytes in [&b""[..], b"\x80", b"X\xff\xff\xff\xffabc", b"t.", b"u.", b".", b"h\x05.", b"cno end", b"\x8a\xff", b"]\x93."] {
            assert!(Pickle::parse(bytes).is_err(), "{bytes:?}");
        }
        assert!(Pickle::parse(&[b'('; 10]).is_err());
        // A list that doubles itself by reference stays as small as its instructions.
        let mut laughs = b"]q\x00".to_vec();
        for _ in 0..200 {
            laughs.extend(b"h\x00a");
        }
        laughs.push(b'.');
        let pickle = Pickle::parse(&laughs).unwrap();
        assert!(pickle.objects.len() < 10);
        assert!(pickle.json(pickle.root(), 2).is_array());
    }
}
