//! What the columns of a file hold: its first reading.

use super::types::Guess;
use super::{Cell, Fault, File, Rows};
use daodb_datalog::edn::Form;

#[derive(Debug, Default)]
pub struct Survey {
    pub rows: u64,
    pub columns: Vec<Seen>,
}

#[derive(Debug, Default, Clone)]
pub struct Seen {
    pub name: String,
    pub guess: Guess,
    /// Its values are texts, which may stand for others.
    pub texts: bool,
    /// A row has several values.
    pub many: bool,
}

/// `step` is told after each row; false ends it early.
pub fn survey(file: &File, step: &mut dyn FnMut(u64) -> bool) -> Result<Survey, Fault> {
    let mut rows = file.open()?;
    let mut survey = Survey::default();
    while let Some(row) = rows.next()? {
        survey.rows += 1;
        let (place, cells) = (row.place, row.cells);
        survey.name(rows.as_ref());
        for (seen, cell) in survey.columns.iter_mut().zip(&cells) {
            seen.take(cell).map_err(|fault| fault.at(place).column(&seen.name))?;
        }
        if !step(survey.rows) {
            break;
        }
    }
    survey.name(rows.as_ref());
    Ok(survey)
}

impl Survey {
    /// Columns that came up since.
    fn name(&mut self, rows: &dyn Rows) {
        let new = rows.names().iter().skip(self.columns.len());
        self.columns.extend(new.map(|name| Seen { name: name.clone(), ..Seen::default() }));
    }

    /// The column of that name; else which there are.
    pub fn column(&self, name: &str) -> Result<usize, Fault> {
        let names = || self.columns.iter().map(|seen| seen.name.as_str());
        names().position(|known| known == name).ok_or_else(|| {
            let text = format!("there is no column {name}");
            let near = daodb_catalog::nearest::nearest(name, names());
            let all = || names().collect::<Vec<_>>().join(", ");
            Fault::new(text).hint(match near {
                Some(near) => format!("perhaps {near}"),
                None => format!("there are {}", all()),
            })
        })
    }
}

impl Seen {
    fn take(&mut self, cell: &Cell) -> Result<(), Fault> {
        match cell {
            Cell::Absent => {}
            Cell::Text(text) => {
                self.texts = true;
                self.guess.text(text);
            }
            Cell::Form(Form::Vector(all)) => {
                self.many = true;
                for node in all {
                    self.form(&node.form)?;
                }
            }
            Cell::Form(form) => self.form(form)?,
        }
        Ok(())
    }

    fn form(&mut self, form: &Form) -> Result<(), Fault> {
        match form {
            Form::Value(value) => self.guess.value(value),
            Form::Nil => {}
            Form::Map(_) => {
                let hint = "rows are flat: give the parts columns of their own";
                return Err(Fault::new("an object is no value").hint(hint));
            }
            _ => return Err(Fault::new(format!("{form} is no value"))),
        }
        Ok(())
    }
}
